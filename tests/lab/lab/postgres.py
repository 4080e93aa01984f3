"""PostgreSQL as an operator runs it: a primary and a synchronous standby on two hosts, and promotion of the standby.

Failover is the database's own: pg_promote on the standby. The old primary needs no other fencing than the synchronous
commit that it waits for: nobody acknowledges it any more, so it acknowledges nothing either.
"""
import os
import pwd
import shutil

from lab.hosts import Service
from support.postgres import DATABASE, USER, binaries
from support.waiting import until

PORT = 5432
COPIES_MAX = 3
TUNNEL_PORTS = (6432, 6433)  # of the loopback of each centre, one a server


class Server:
    """One PostgreSQL server."""

    def __init__(self, world, host):
        self.host, self.bin = host, binaries()
        self.folder = world.folder_of(host.name)
        self.data = os.path.join(self.folder, "data")
        owner = pwd.getpwnam("postgres")  # initdb refuses to work for root
        os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        chain, key = os.path.join(self.folder, "tls.crt"), os.path.join(self.folder, "tls.key")
        world.authority.issue(host.name, [host.address], chain, key)
        trusted = shutil.copy(world.authority.ca_file, self.folder)  # the authority's own folder is closed to others
        for path in (chain, key, trusted):
            os.chown(path, owner.pw_uid, owner.pw_gid)
        self.tls = {"ssl": "on", "ssl_cert_file": chain, "ssl_key_file": key, "ssl_ca_file": trusted}
        self.service = Service(host.name, host, [f"{self.bin}/postgres", "-D", self.data], self.folder, wrapper=self._as_owner())

    @staticmethod
    def _as_owner():
        return ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]

    def run(self, program, *arguments, **options):
        return self.host.run(*self._as_owner(), f"{self.bin}/{program}", *arguments, cwd=self.folder, **options)

    def sql(self, text, database="postgres", seconds=20):
        return self.run("psql", "-h", self.folder, "-U", "postgres", "-d", database, "-Atqc", text, timeout=seconds).stdout.strip()

    def configure(self, **settings):
        with open(os.path.join(self.data, "postgresql.auto.conf"), "a", encoding="ascii") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def start(self):
        self.service.start()
        until(lambda: self.run("pg_isready", "-h", self.folder, check=False).returncode == 0, 30, f"{self.host.name} is ready\n"
              + self.service.logged()[-2000:])


class Postgres:
    """A primary with a synchronous standby."""

    def __init__(self, world, primary, standby):
        self.servers = [Server(world, primary), Server(world, standby)]
        self.primary, self.standby = self.servers

    def start(self):
        primary = self.primary
        primary.run("initdb", "-D", primary.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        with open(os.path.join(primary.data, "pg_hba.conf"), "w", encoding="ascii") as file:
            file.write(f"local all all trust\nhostssl {DATABASE} {USER} 10.77.0.0/16 cert\nhost replication all 10.77.0.0/16 trust\n")
        primary.configure(
            listen_addresses=primary.host.address, port=PORT, unix_socket_directories=primary.folder, max_connections=60,
            shared_buffers="32MB", wal_level="replica", hot_standby="on", wal_log_hints="on", wal_receiver_timeout="5s",
            wal_sender_timeout="5s", **primary.tls, tcp_keepalives_idle=2, tcp_keepalives_interval=1, tcp_keepalives_count=3)
        primary.start()
        primary.sql(f"CREATE ROLE {USER} LOGIN")
        primary.sql(f"CREATE DATABASE {DATABASE} OWNER {USER}")
        self.attach(self.standby)

    def attach(self, standby):
        """A fresh standby of the primary, synchronous from when it has caught up."""
        primary = self.primary
        for left in reversed(range(COPIES_MAX)):  # a busy machine may not keep up with wal_sender_timeout
            shutil.rmtree(standby.data, ignore_errors=True)
            copied = standby.run("pg_basebackup", "-d", f"host={primary.host.address} port={PORT} user=postgres "
                                 f"application_name={standby.host.name}", "-D", standby.data, "-R", "--no-sync", "-c", "fast", check=left == 0)
            if copied.returncode == 0:
                break
        # Its own synchronous set stays empty: a promoted standby stands alone until another one is attached.
        standby.configure(listen_addresses=standby.host.address, unix_socket_directories=standby.folder,
                          synchronous_standby_names="", **standby.tls)
        standby.start()
        primary.configure(synchronous_standby_names=f'"{standby.host.name}"')
        primary.sql("SELECT pg_reload_conf()")
        until(lambda: primary.sql("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == "1", 30,
              "the standby is synchronous")

    def promote(self):
        """The standby becomes the primary."""
        self.standby.run("pg_ctl", "promote", "-D", self.standby.data, "-w", "-t", "30")
        self.primary, self.standby = self.standby, self.primary

    @staticmethod
    def connection():
        """What a centre is told: the tunnels of its own host, and to take the server that accepts writes."""
        hosts, ports = ",".join("127.0.0.1" for _ in TUNNEL_PORTS), ",".join(map(str, TUNNEL_PORTS))
        return f"host={hosts} port={ports} user={USER} dbname={DATABASE} target_session_attrs=read-write sslmode=disable"

    def tunnel(self, world, host, folder):
        """stunnel on a centre's host: nodex-central speaks plainly to loopback, TLS with certificates on both ends is between
        the hosts."""
        world.authority.issue(USER, [host.address], f"{folder}/db.crt", f"{folder}/db.key")  # its name is the database's user
        config = os.path.join(folder, "stunnel.conf")
        places = "".join(f"""[{server.host.name}]
client = yes
accept = 127.0.0.1:{port}
connect = {server.host.address}:{PORT}
protocol = pgsql
cert = {folder}/db.crt
key = {folder}/db.key
CAfile = {world.authority.ca_file}
verifyChain = yes
checkHost = {server.host.name}
TIMEOUTconnect = 2
""" for server, port in zip(self.servers, TUNNEL_PORTS))
        with open(config, "w", encoding="ascii") as file:
            file.write(f"foreground = yes\npid =\nsocket = r:TCP_NODELAY=1\nsocket = l:TCP_NODELAY=1\n{places}")
        return Service(f"{host.name}-tunnel", host, ["stunnel4", config], folder)

    def services(self):
        return [server.service for server in self.servers]
