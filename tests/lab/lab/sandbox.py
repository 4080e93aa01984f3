"""A place of its own for everything that the lab starts: process, mount and network namespaces of one child.

The lab runs as process 1 of a new process namespace. When it ends, for whatever reason (Ctrl-C and kill -9 included),
the kernel kills every process in that namespace, and with the last of them its mounts, hosts and cables are gone. Nothing
of the machine outside is touched: no named network namespace, no interface, no firewall rule, no mount.
"""
import os
import shutil
import sys

INSIDE = "NODEX_LAB_SANDBOX"


def inside():
    return os.environ.get(INSIDE) == "yes" and os.getpid() == 1


def enter():
    """Runs this program again inside; does not return."""
    if os.geteuid() != 0:
        sys.exit("nodex-lab: network namespaces need root")
    if shutil.which("unshare") is None:
        sys.exit("nodex-lab: unshare is missing; run deploy/install_packages lab")
    os.environ[INSIDE] = "yes"
    command = ["unshare", "--mount", "--propagation", "private", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    os.execvp("unshare", [*command, sys.executable, *sys.argv])
