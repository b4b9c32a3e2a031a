"""Tools of Rust."""
from situations import OK

from .base import Tool


class Sqlx(Tool):
    name, key = "Sqlx", "sqlx"
    databases = ("postgres", "mariadb", "sqlite")
    # Where the database rolls no schema change back, a failed migration stays on record, and the list does not say so.
    expects = {("mariadb", "rerun-after-failure"): ("DirtyState",), ("mariadb", "check-failed"): ("DirtyState",)}
    untold = {("mariadb", "check-failed"): "its list calls a migration installed that has failed", "check-empty": "its list is empty"}

    def url(self):
        return f"sqlite://{self.address.database}?mode=rwc" if self.kind == "sqlite" else super().url()

    def command(self):
        return [f"{self.home}/bin/sqlx", "migrate", "run"]

    def check(self):
        return [f"{self.home}/bin/sqlx", "migrate", "info"]


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

    def check(self):
        return [f"{self.home}/bin/diesel", "migration", "list"]


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

    def check(self):
        return [f"{self.home}/bin/migration", "status"]
