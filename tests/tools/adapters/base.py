"""One small class a tool: the files of a project, the command, and what the tool is known to keep an eye on.

What a tool is expected to do where the database has no part in it (`expects`) follows from its manual: whether it keeps
failures, contents or names on record. `untold` lists what a tool fails at without saying why; a right reading of such a
log names no cause.
"""
from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Address:
    kind: str
    host: str
    port: str
    user: str
    password: str
    database: str  # for SQLite the file

    def url(self, scheme, options=""):
        if self.kind == "sqlite":
            return f"{scheme}{self.database}"
        return f"{scheme}://{self.user}:{self.password}@{self.host}:{self.port}/{self.database}{options}"

    def but(self, **changes):
        return replace(self, **changes)


class Tool:
    name = ""  # as in `sluice classify --tool`
    key = ""  # as in `install`
    beside = ""
    databases = ("postgres",)
    config = None  # a file whose absence is `missing-config`; else the variables of `env` are
    directory, pattern = "migrations", "{number:04}_{name}.sql"  # of a migration's file; {title} is its name as a class
    expects: dict = {}
    untold: dict = {}
    impossible: dict = {}
    check = None  # like `command`, where the tool has one that asks what is pending

    def __init__(self, home, work, address):
        self.home, self.work, self.address, self.kind = Path(home), Path(work), address, address.kind

    def put(self, path, text):
        path = self.work / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def sql(self, statements):
        return "".join(f"{statement};\n" for statement in statements)

    def write(self, migrations):
        """Writes the whole project; `migrations` are (number, name, statements)."""
        self.project()
        for number, name, statements in migrations:
            self.migration(number, name, statements)

    def project(self):
        pass

    def file(self, number, name):
        return f"{self.directory}/{self.pattern.format(number=number, name=name, title=name.capitalize())}"

    def text(self, number, name, statements):
        """What stands in the file of a migration."""
        return self.sql(statements)

    def migration(self, number, name, statements):
        self.put(self.file(number, name), self.text(number, name, statements))

    def env(self):
        return {"DATABASE_URL": self.url()}

    def url(self):
        return self.address.url({"postgres": "postgres", "mariadb": "mysql", "sqlite": "sqlite:"}[self.kind])
