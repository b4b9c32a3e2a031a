"""Tools of Go, which are programs of their own."""
from situations import OK

from .base import Tool


class Goose(Tool):
    name, key = "Goose", "goose"
    databases = ("postgres", "mariadb", "sqlite")
    pattern = "{number:05}_{name}.sql"
    # Without its variables it prints how it is used.
    expects = {"checksum-changed": (OK,), "missing-file": (OK,), "missing-config": ("WrongCommand", "MissingEnv")}

    def sql(self, statements):
        return "-- +goose Up\n" + super().sql(statements)

    def env(self):
        a = self.address
        dsn = {"postgres": a.url("postgres", "?sslmode=disable"), "sqlite": a.database,
               "mariadb": f"{a.user}:{a.password}@tcp({a.host}:{a.port})/{a.database}?parseTime=true"}[self.kind]
        driver = {"postgres": "postgres", "mariadb": "mysql", "sqlite": "sqlite3"}[self.kind]
        return {"GOOSE_DRIVER": driver, "GOOSE_DBSTRING": dsn, "GOOSE_MIGRATION_DIR": "migrations"}

    def command(self):
        return [f"{self.home}/bin/goose", "up"]

    def check(self):
        return [f"{self.home}/bin/goose", "status"]


class GolangMigrate(Tool):
    name, key = "GolangMigrate", "golang-migrate"
    databases = ("postgres", "mariadb", "sqlite")
    pattern = "{number:06}_{name}.up.sql"
    expects = {"checksum-changed": (OK,), "rerun-after-failure": ("DirtyState",)}

    def url(self):
        a = self.address
        return {"postgres": a.url("postgres", "?sslmode=disable"), "sqlite": f"sqlite://{a.database}",
                "mariadb": f"mysql://{a.user}:{a.password}@tcp({a.host}:{a.port})/{a.database}?multiStatements=true"}[self.kind]

    def command(self):
        return ["sh", "-c", f'{self.home}/bin/migrate -path migrations -database "$DATABASE_URL" up']


class Dbmate(Tool):
    name, key = "Dbmate", "dbmate"
    databases = ("postgres", "mariadb", "sqlite")
    directory = "db/migrations"
    # It makes a database that is not there, where its role may.
    expects = {"checksum-changed": (OK,), "missing-file": (OK,), ("postgres", "missing-database"): ("InsufficientPrivilege",),
               ("mariadb", "missing-database"): (OK,)}
    untold = {("sqlite", "disk-full"): "it prints no error but that of its rollback"}

    def sql(self, statements):
        return "-- migrate:up\n" + super().sql(statements) + "-- migrate:down\n"

    def url(self):
        return self.address.url({"postgres": "postgres", "mariadb": "mysql", "sqlite": "sqlite:"}[self.kind], "?sslmode=disable" if self.kind == "postgres" else "")

    def command(self):
        return [f"{self.home}/node_modules/.bin/dbmate", "--wait", "--wait-timeout", "5s", "--no-dump-schema", "up"]

    def check(self):
        return [f"{self.home}/node_modules/.bin/dbmate", "status", "--exit-code"]
