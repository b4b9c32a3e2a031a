"""The databases: servers of Debian's packages on loopback, in a directory of their own, ended by the id they started with."""
import contextlib
import os
import shutil
import socket
import sqlite3
import subprocess
import time
from pathlib import Path

PASSWORD = "made-up-pw"
SETTLE = 60.0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(what, ask, seconds=SETTLE):
    end = time.monotonic() + seconds
    while not ask():
        if time.monotonic() > end:
            raise TimeoutError(f"not in time: {what}")
        time.sleep(0.05)


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr}")
    return done.stdout


class Server:
    """What both servers have in common: a process, sessions that hold something, a small disk."""

    def __init__(self, top):
        self.top, self.port, self.process, self.holders, self.disks = Path(top), free_port(), None, [], []

    def small_disk(self, name, size):
        path = self.top / name
        path.mkdir(exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(path))
        self.disks.append(path)
        return path

    def hold(self, *command):
        self.holders.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL))

    def release(self):
        for holder in self.holders:
            holder.kill()
            holder.wait()
        self.holders.clear()

    def fill(self, holder, probe):
        """Takes connections until the server has none left; some may still be those of sessions that are ending."""

        def full():
            if b"oo many" in subprocess.run(probe, capture_output=True, check=False).stderr:
                return True
            self.hold(*holder)
            return False

        wait_until("no connection left", full)

    def stop(self):
        self.release()
        if self.process:
            self.process.terminate()
            self.process.wait()
        for path in self.disks:
            subprocess.run(["umount", "--lazy", str(path)], check=False)


class Postgres(Server):
    """PostgreSQL, with the role `app` that owns the database `shop` and nothing in the schema `aside`."""

    BIN = Path("/usr/lib/postgresql/15/bin")
    scheme, default_port = "postgres", 5432

    def __init__(self, top, connections=12):
        super().__init__(top)
        self.top.mkdir(parents=True)
        self.connections = connections
        os.chmod(self.top, 0o755)
        run("chown", "postgres", str(self.top))
        as_postgres = ["runuser", "-u", "postgres", "--"]
        run(*as_postgres, str(self.BIN / "initdb"), "-D", str(self.top / "data"), "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        (self.top / "data/pg_hba.conf").write_text("local all postgres trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self.top, "fsync": "off",
                    "max_connections": connections, "superuser_reserved_connections": 0, "max_wal_senders": 0, "autovacuum": "off",
                    "client_connection_check_interval": "100ms"}
        log = open(self.top / "server.log", "w")
        # Not through runuser: the process must be the server itself, to be ended by its id.
        import pwd
        who = pwd.getpwnam("postgres")
        self.process = subprocess.Popen(
            [str(self.BIN / "postgres"), "-D", str(self.top / "data"), *(f"-c{k}={v}" for k, v in settings.items())],
            stdout=log, stderr=log, user=who.pw_uid, group=who.pw_gid, extra_groups=[], cwd="/")
        wait_until("PostgreSQL", lambda: (self.top / f".s.PGSQL.{self.port}").exists())
        wait_until("PostgreSQL", lambda: subprocess.run(self.admin_command("postgres", "SELECT 1"), capture_output=True).returncode == 0)
        self.admin(f"CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'", database="postgres")

    def admin_command(self, database, *statements):
        return ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", str(self.top), "-p", str(self.port), "-U", "postgres", "-d", database,
                *(part for statement in statements for part in ("-c", statement))]

    def admin(self, *statements, database="shop"):
        return run(*self.admin_command(database, *statements))

    def fresh(self):
        self.release()
        wait_until("a free connection", lambda: subprocess.run(self.admin_command("postgres", "SELECT 1"), capture_output=True).returncode == 0)
        # Some tools create the one that is missing.
        self.admin("DROP DATABASE IF EXISTS nowhere WITH (FORCE)", "DROP DATABASE IF EXISTS shop WITH (FORCE)", "CREATE DATABASE shop OWNER app", database="postgres")
        self.admin("CREATE SCHEMA aside", "CREATE TABLE aside.a (n integer)", "CREATE TABLE aside.b (n integer)",
                   "INSERT INTO aside.a VALUES (0)", "INSERT INTO aside.b VALUES (0)", "ALTER SCHEMA public OWNER TO app",
                   "GRANT USAGE ON SCHEMA aside TO app", "GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA aside TO app",
                   "CREATE FUNCTION aside.tangle() RETURNS void LANGUAGE plpgsql AS 'BEGIN UPDATE aside.a SET n = 1; PERFORM pg_sleep(0.5);"
                   " UPDATE aside.b SET n = 1; END'")

    def prepare(self, situation):
        if situation == "lock-timeout":
            self.hold(*self.admin_command("shop", "BEGIN", "LOCK TABLE aside.a", "SELECT pg_sleep(120)"))
            wait_until("the lock", lambda: self.count("pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'aside.a'::regclass"))
        if situation == "deadlock":
            # It waits longer than the migration before it looks for a deadlock, so the migration is the one that gives way.
            self.hold(*self.admin_command(
                "shop", "SET deadlock_timeout = '60s'",
                "DO $$ BEGIN UPDATE aside.b SET n = 2; WHILE NOT EXISTS (SELECT FROM pg_locks WHERE relation = 'aside.a'::regclass"
                " AND mode = 'RowExclusiveLock' AND pid <> pg_backend_pid()) LOOP PERFORM pg_sleep(0.05); END LOOP;"
                " UPDATE aside.a SET n = 2; END $$"))
            wait_until("the lock", lambda: self.count("pg_locks WHERE mode = 'RowExclusiveLock' AND relation = 'aside.b'::regclass"))
        if situation == "disk-full":
            if not self.disks:
                path = self.small_disk("small", "2m")
                run("chown", "postgres", str(path))
                self.admin(f"CREATE TABLESPACE small LOCATION '{path}'", "GRANT CREATE ON TABLESPACE small TO app", database="postgres")
        if situation == "too-many-connections":
            self.fill(self.admin_command("postgres", "SELECT pg_sleep(120)"), self.admin_command("postgres", "SELECT 1"))

    def count(self, what):
        return int(self.admin(f"SELECT count(*) FROM {what}"))

    def sleeps(self):
        return self.count("pg_stat_activity WHERE usename = 'app' AND state = 'active' AND query ILIKE '%pg_sleep(50)%'") > 0

    def end_session(self):
        self.admin("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'")

    def version(self):
        return "PostgreSQL " + self.admin("SHOW server_version", database="postgres").split()[0]


class MariaDb(Server):
    """MariaDB, with the account `app` that may do all in the database `shop` and little in `aside`."""

    scheme, default_port = "mysql", 3306

    def __init__(self, top, connections=12):
        super().__init__(top)
        self.top.mkdir(parents=True)
        self.connections = connections
        run("mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={self.top}/data", "--auth-root-authentication-method=normal",
            "--skip-test-db")
        log = open(self.top / "server.log", "w")
        self.process = subprocess.Popen(
            ["mariadbd", "--no-defaults", "--user=root", f"--datadir={self.top}/data", f"--socket={self.top}/s", f"--port={self.port}",
             "--bind-address=127.0.0.1", f"--max-connections={connections}", f"--pid-file={self.top}/pid", "--skip-name-resolve",
             "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M"], stdout=log, stderr=log)
        wait_until("MariaDB", lambda: subprocess.run(self.admin_command("mysql", "SELECT 1"), capture_output=True).returncode == 0)
        self.admin("CREATE USER holder@localhost", f"CREATE USER app@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'", "GRANT ALL ON shop.* TO app@'127.0.0.1'",
                   "GRANT ALL ON nowhere.* TO app@'127.0.0.1'", database="mysql")

    def admin_command(self, database, *statements):
        return ["mariadb", "--no-defaults", "-u", "root", f"--socket={self.top}/s", "-BN", database, "-e", ";".join(statements)]

    def admin(self, *statements, database="shop"):
        return run(*self.admin_command(database, *statements))

    def release(self):
        """The server does not notice that a client is gone before it answers, so sessions are ended here."""
        super().release()
        if self.process and self.process.poll() is None:
            for number in self.admin("SELECT id FROM information_schema.processlist WHERE id <> connection_id()", database="mysql").split():
                subprocess.run(self.admin_command("mysql", f"KILL {number}"), capture_output=True, check=False)

    def fresh(self):
        self.release()
        self.admin("SET GLOBAL read_only = 0", "SET GLOBAL innodb_lock_wait_timeout = 50", "SET GLOBAL max_statement_time = 0",
                   "DROP DATABASE IF EXISTS nowhere", "DROP DATABASE IF EXISTS shop", "DROP DATABASE IF EXISTS aside", "CREATE DATABASE shop", "CREATE DATABASE aside",
                   "CREATE TABLE aside.a (n integer)", "CREATE TABLE aside.b (n integer)", "CREATE TABLE aside.big (t text)",
                   "CREATE TABLE aside.weight (n integer)", "INSERT INTO aside.a VALUES (0)", "INSERT INTO aside.b VALUES (0)",
                   "GRANT SELECT, INSERT, UPDATE, EXECUTE ON aside.* TO app@'127.0.0.1'", database="mysql")
        procedures = (
            "CREATE PROCEDURE aside.tangle() BEGIN START TRANSACTION; UPDATE aside.a SET n = 1; DO GET_LOCK('tangled', 0); DO SLEEP(1); UPDATE aside.b SET n = 1; COMMIT; END$$\n"
            "CREATE PROCEDURE aside.cross_it() BEGIN START TRANSACTION; INSERT INTO aside.weight SELECT seq FROM mysql.seq_1_to_1000;"
            " UPDATE aside.b SET n = 2; REPEAT DO SLEEP(0.1); UNTIL IS_USED_LOCK('tangled') IS NOT NULL"
            " END REPEAT; UPDATE aside.a SET n = 2; DO SLEEP(20); END$$\n")
        run("mariadb", "--no-defaults", "-u", "root", f"--socket={self.top}/s", "--delimiter=$$", "aside", input=procedures)

    def prepare(self, situation):
        if situation == "lock-timeout":
            self.hold(*self.admin_command("aside", "START TRANSACTION", "UPDATE a SET n = 2", "DO SLEEP(120)"))
            wait_until("the lock", lambda: self.count("processlist WHERE user = 'root' AND info LIKE 'DO SLEEP(120)%'"))
        if situation == "deadlock":
            self.hold(*self.admin_command("aside", "CALL cross_it()"))
            wait_until("the lock", lambda: self.count("processlist WHERE user = 'root' AND info LIKE '%DO SLEEP(0.1)%'"))
        if situation == "disk-full":
            # On a disk that is really full this server aborts as it rolls back; a table in memory is full in the same words.
            self.admin("DROP TABLE aside.big", "CREATE TABLE aside.big (t varchar(2000)) ENGINE = MEMORY")
        if situation == "too-many-connections":
            # Not as root: one connection is kept for an administrator, who has to end the others.
            other = ["mariadb", "--no-defaults", "-u", "holder", f"--socket={self.top}/s", "-e"]
            self.fill([*other, "DO SLEEP(120)"], [*other, "SELECT 1"])

    def count(self, what):
        return int(self.admin(f"SELECT count(*) FROM information_schema.{what}"))

    def sleeps(self):
        return self.count("processlist WHERE user = 'app' AND info LIKE '%SLEEP(50)%'") > 0

    def end_session(self):
        for number in self.admin("SELECT id FROM information_schema.processlist WHERE user = 'app'").split():
            subprocess.run(self.admin_command("mysql", f"KILL {number}"), capture_output=True, check=False)

    def version(self):
        return "MariaDB " + self.admin("SELECT version()", database="mysql").split("-")[0]


class Sqlite(Server):
    """A file, on a small disk of its own."""

    scheme, default_port = "sqlite", 0

    def __init__(self, top, connections=0):
        super().__init__(top)
        self.top.mkdir(parents=True)
        self.disk = self.small_disk("disk", "8m")

    @property
    def file(self):
        return self.disk / "shop.db"

    def admin(self, *statements, database="shop"):
        pass

    def fresh(self):
        self.release()
        run("mount", "-o", "remount,rw", str(self.disk))
        for path in self.disk.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def prepare(self, situation):
        if situation == "lock-timeout":
            script = "import sqlite3,sys,time; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN EXCLUSIVE'); " \
                     "c.execute('CREATE TABLE held (n)'); open(sys.argv[1] + '.held', 'w'); time.sleep(120)"
            self.hold("python3", "-c", script, str(self.file))
            wait_until("the lock", lambda: Path(f"{self.file}.held").exists())
        if situation == "read-only":
            with contextlib.closing(sqlite3.connect(self.file)) as connection:
                connection.execute("PRAGMA user_version = 1")
            run("mount", "-o", "remount,ro", str(self.disk))

    def sleeps(self):
        """The file says nothing of who works on it: the first migration is done in less than these seconds, the second is not."""
        if self.file.exists():
            time.sleep(4)
        return self.file.exists()

    def version(self):
        return "SQLite"


KINDS = {"postgres": Postgres, "mariadb": MariaDb, "sqlite": Sqlite}
