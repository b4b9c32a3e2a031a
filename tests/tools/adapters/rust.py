"""Tools of Rust."""
from situations import OK

from .base import Tool


class Sqlx(Tool):
    name, key = "Sqlx", "sqlx"
    databases = ("postgres", "mariadb", "sqlite")
    # Where the database rolls no schema change back, a failed migration stays on record.
    expects = {("mariadb", "rerun-after-failure"): ("DirtyState",)}

    def url(self):
        return f"sqlite://{self.address.database}?mode=rwc" if self.kind == "sqlite" else super().url()

    def command(self):
        return [f"{self.home}/bin/sqlx", "migrate", "run"]


class Diesel(Tool):
    name, key = "Diesel", "diesel"
    databases = ("postgres", "sqlite")
    pattern = "2026-01-0{number}-120000_{name}/up.sql"
    expects = {"checksum-changed": (OK,), "missing-file": (OK,)}

    def project(self):
        self.put("diesel.toml", "")

    def url(self):
        return self.address.database if self.kind == "sqlite" else super().url()

    def command(self):
        return [f"{self.home}/bin/diesel", "migration", "run"]


class SeaOrm(Tool):
    name, key, beside = "SeaOrm", "seaorm", "a program of migrations with sea-orm-migration"
    databases = ("postgres", "mariadb", "sqlite")
    pattern = "m2026010{number}_120000_{name}.sql"
    # A full server is asked again until the pool's time is up, which is all that is said.
    expects = {"checksum-changed": (OK,), ("postgres", "too-many-connections"): ("TooManyConnections", "Unreachable")}

    def url(self):
        return f"sqlite://{self.address.database}?mode=rwc" if self.kind == "sqlite" else super().url()

    def command(self):
        return [f"{self.home}/bin/migration", "up"]
