"""PostgreSQL for tests: a server in a folder of its own on a Unix socket, and a synchronous standby of it."""
import glob
import os
import pwd
import shutil
import subprocess
import tempfile

from support import programs
from support.waiting import until

USER, DATABASE = "nodex", "nodex"


def binaries():
    """Debian keeps each version's programs in a folder of its own; the newest is taken."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    assert found, "PostgreSQL is not installed: deploy/install_packages test"
    return found[-1]


class Server:
    """One server; its socket is in `folder`. As an unprivileged user where the test runs as root: initdb refuses root."""

    def __init__(self, folder):
        self.folder, self.data = folder, os.path.join(folder, "data")
        self.program = None
        os.makedirs(folder, mode=0o755)
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(folder, owner.pw_uid, owner.pw_gid)

    @staticmethod
    def wrapper():
        return ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"] if os.geteuid() == 0 else []

    def run(self, name, *arguments):
        """One of PostgreSQL's programs, to its end."""
        done = subprocess.run([*self.wrapper(), f"{binaries()}/{name}", *arguments], cwd=self.folder, capture_output=True, text=True,
                              timeout=60, check=False)
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def sql(self, text, database="postgres"):
        return self.run("psql", "-X", "-h", self.folder, "-U", USER, "-d", database, "-v", "ON_ERROR_STOP=1", "-Atqc", text)

    def configure(self, **settings):
        """For the next start or `pg_reload_conf()`."""
        with open(os.path.join(self.data, "postgresql.auto.conf"), "a", encoding="ascii") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def create(self):
        self.run("initdb", "-D", self.data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        self.configure(listen_addresses="", unix_socket_directories=self.folder, shared_buffers="32MB", max_connections=30,
                       wal_level="replica", wal_sender_timeout="3s", wal_receiver_timeout="3s", recovery_init_sync_method="syncfs")
        self.start()
        self.sql(f"CREATE DATABASE {DATABASE}")

    def follow(self, primary):
        """A standby of `primary`, which from now on waits for it at every commit. Promoted it stands alone."""
        self.run("pg_basebackup", "-d", f"host={primary.folder} user={USER} application_name=standby", "-D", self.data, "-R",
                 "--no-sync", "-c", "fast")
        self.configure(unix_socket_directories=self.folder)
        self.start()
        primary.configure(synchronous_standby_names="standby")
        primary.sql("SELECT pg_reload_conf()")
        until(lambda: primary.sql("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == "1", 30,
              "the standby is synchronous")

    def promote(self):
        self.run("pg_ctl", "promote", "-D", self.data, "-w", "-t", "30")

    def start(self):
        self.program = programs.Program([f"{binaries()}/postgres", "-D", self.data], os.path.join(self.folder, "server.log"),
                                        wrapper=self.wrapper())
        socket = os.path.join(self.folder, ".s.PGSQL.5432")
        until(lambda: os.path.exists(socket) and self.answers(), 30, "PostgreSQL answers\n" + self.program.logged()[-2000:])

    def answers(self):
        assert self.program.alive(), self.program.logged()[-2000:]
        done = subprocess.run([f"{binaries()}/pg_isready", "-q", "-h", self.folder], capture_output=True, timeout=20, check=False)
        return done.returncode == 0

    # --- faults ---

    def freeze(self):
        """The postmaster and its children."""
        self.program.freeze()

    def thaw(self):
        self.program.thaw()

    def kill(self):
        """kill -9 of the postmaster; its children end when they notice."""
        if self.program is not None and self.program.alive():
            self.thaw()
            self.program.kill()


class Postgres:
    """A database for a centre; with `standby` a synchronous one."""

    def __init__(self, standby=False):
        self.folder = tempfile.mkdtemp(prefix="nodex-db-")
        os.chmod(self.folder, 0o755)
        self.servers = []
        try:
            self.servers.append(Server(os.path.join(self.folder, "a")))
            self.servers[0].create()
            if standby:
                self.servers.append(Server(os.path.join(self.folder, "b")))
                self.servers[1].follow(self.servers[0])
        except BaseException:
            self.close()
            raise

    @property
    def url(self):
        """As [store] url: every server, the one that takes writes is found."""
        return f"host={','.join(server.folder for server in self.servers)} user={USER} dbname={DATABASE}"

    @property
    def store(self):
        return {"kind": "postgres", "url": self.url}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for server in self.servers:
            server.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
