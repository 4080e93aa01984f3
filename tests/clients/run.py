#!/usr/bin/env python3
"""Runs the client tests: installs the SDKs of package-lock.json, starts provider and edge, and counts the cases."""
import argparse
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from support import built, programs  # noqa: E402  the path is set above
from support.pop import OUTPUT_MODEL, Pop  # noqa: E402

NODE_MAJOR = 22  # what the newest SDK asks for; Debian 12 has an older one


def node():
    """A node that is new enough: the system's, or the one that npm installed."""
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    if int(re.match(r"v(\d+)", version).group(1)) >= NODE_MAJOR:
        return "node"
    for path in HERE.glob("node_modules/node-linux-*/bin/node"):
        return str(path)
    raise FileNotFoundError(f"node {NODE_MAJOR} is needed and there is only {version}")


def install():
    """npm ci, unless what is installed is what the lock file names."""
    lock, installed = HERE / "package-lock.json", HERE / "node_modules" / ".package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    # The check of engines is about the node that runs npm, not about the one that runs the tests.
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--engine-strict=false"], cwd=HERE, check=True)


def run(pop):
    account = pop.account("1000")
    environment = {
        "NODEX_BASE_URL": f"https://localhost:{pop.tls_address.rsplit(':', 1)[1]}/v1",
        "NODE_EXTRA_CA_CERTS": pop.ca_file,
        "NODEX_API_KEY": pop.key(account)[0],
        "NODEX_NARROW_KEY": pop.key(account, models=[OUTPUT_MODEL])[0],
        "NODEX_GENERATE_KEY": pop.key(account, policy="generate")[0],
        "NODEX_POOR_KEY": pop.key(pop.account(None))[0],
        "NODEX_PROVIDER": f"http://{pop.provider.address}",
    }
    result = subprocess.run([node(), "--test", "--test-reporter=tap", "openai.test.mjs"], cwd=HERE, text=True,
                            capture_output=True, env={**os.environ, **environment}, timeout=600, check=False)
    print(result.stdout, result.stderr)
    pop.until_quiet(60)
    pop.verify_ledger()
    counts = [int(re.search(rf"^# {word} (\d+)$", result.stdout, re.MULTILINE).group(1)) for word in ("pass", "fail")]
    if result.returncode != 0 and counts[1] == 0:
        counts[1] = 1
    return counts


def main():
    parser = argparse.ArgumentParser(description="runs the official SDKs against a node")
    parser.add_argument("--build", required=True, help="build directory with the programs")
    parser.add_argument("--count", help="file that receives 'passed failed'")
    options = parser.parse_args()
    built.DIRECTORY = os.path.abspath(options.build)
    install()
    with Pop() as pop:
        try:
            passed, failed = run(pop)
        except Exception:
            print(pop.edge_log()[-4000:])
            raise
    programs.end_all()
    if options.count:
        pathlib.Path(options.count).write_text(f"{passed} {failed}\n", encoding="ascii")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
