"""One small class a tool: the files of a project, the command, and what the tool is known to keep an eye on.

What a tool is expected to do where the database has no part in it (`expects`) follows from its manual: whether it keeps
failures, contents or names on record. `untold` lists what a tool fails at without saying why; a right reading of such a
log names no cause.
"""
import json
from dataclasses import dataclass, replace
from pathlib import Path

from situations import OK, SITUATIONS

HERE = Path(__file__).resolve().parent


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
    directory = "migrations"
    expects: dict = {}
    untold: dict = {}
    impossible: dict = {}

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
        return f"{self.directory}/{number:04}_{name}.sql"

    def migration(self, number, name, statements):
        self.put(self.file(number, name), self.sql(statements))

    def env(self):
        return {"DATABASE_URL": self.url()}

    def url(self):
        return self.address.url({"postgres": "postgres", "mariadb": "mysql", "sqlite": "sqlite:"}[self.kind])


class Python(Tool):
    def url(self):
        return self.address.url({"postgres": "postgresql", "mariadb": "mysql+pymysql", "sqlite": "sqlite:///"}[self.kind])


class Alembic(Python):
    name, key, beside = "Alembic", "alembic", "SQLAlchemy 2.0.58, psycopg2 2.9.13, PyMySQL 1.2.4"
    databases = ("postgres", "mariadb", "sqlite")
    config, directory = "alembic.ini", "alembic/versions"
    expects = {"checksum-changed": (OK,)}

    def project(self):
        self.put("alembic.ini", "[alembic]\nscript_location = alembic\n\n[loggers]\nkeys = root,alembic\n[handlers]\nkeys = console\n"
                 "[formatters]\nkeys = generic\n[logger_root]\nlevel = WARN\nhandlers = console\n[logger_alembic]\nlevel = INFO\n"
                 "handlers =\nqualname = alembic\n[handler_console]\nclass = StreamHandler\nargs = (sys.stderr,)\nformatter = generic\n"
                 "[formatter_generic]\nformat = %(levelname)-5.5s [%(name)s] %(message)s\n")
        self.put("alembic/env.py", "import os\nfrom logging.config import fileConfig\nfrom alembic import context\nfrom sqlalchemy import create_engine\n\n"
                 "fileConfig(context.config.config_file_name)\nwith create_engine(os.environ['DATABASE_URL']).connect() as connection:\n"
                 "    context.configure(connection=connection)\n    with context.begin_transaction():\n        context.run_migrations()\n")

    def file(self, number, name):
        return f"{self.directory}/{number:04}_{name}.py"

    def migration(self, number, name, statements):
        before = f"'{number - 1:04}'" if number > 1 else None
        body = "".join(f"    op.execute({statement!r})\n" for statement in statements)
        self.put(self.file(number, name), f"from alembic import op\n\nrevision = '{number:04}'\ndown_revision = {before}\n\n\ndef upgrade():\n{body}")

    def command(self):
        return [f"{self.home}/bin/alembic", "upgrade", "head"]


class Django(Python):
    name, key, beside = "Django", "django", "psycopg2 2.9.13, PyMySQL 1.2.4"
    databases = ("postgres", "mariadb", "sqlite")
    directory = "shop/migrations"
    expects = {"checksum-changed": (OK,), "missing-file": (OK,)}

    def project(self):
        engine = {"postgres": "postgresql", "mariadb": "mysql", "sqlite": "sqlite3"}[self.kind]
        where = "{'NAME': url.path}" if self.kind == "sqlite" else \
            "{'NAME': url.path[1:], 'HOST': url.hostname, 'PORT': url.port, 'USER': url.username, 'PASSWORD': url.password}"
        self.put("manage.py", "import os\nfrom django.core.management import execute_from_command_line\n\n"
                 "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'settings')\nexecute_from_command_line()\n")
        self.put("settings.py", "import os\nfrom urllib.parse import urlparse\n" +
                 ("import pymysql\n\npymysql.install_as_MySQLdb()\n" if self.kind == "mariadb" else "") +
                 f"url = urlparse(os.environ['DATABASE_URL'])\nSECRET_KEY = 'made-up'\nINSTALLED_APPS = ['shop']\n"
                 f"DATABASES = {{'default': {{'ENGINE': 'django.db.backends.{engine}', **{where}}}}}\n")
        self.put("shop/__init__.py", "")
        self.put("shop/migrations/__init__.py", "")

    def file(self, number, name):
        return f"{self.directory}/{number:04}_{name}.py"

    def migration(self, number, name, statements):
        needs = f"[('shop', '{number - 1:04}_init')]" if number > 1 else "[]"
        steps = ", ".join(f"migrations.RunSQL({statement!r})" for statement in statements)
        self.put(self.file(number, name), f"from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    dependencies = {needs}\n    operations = [{steps}]\n")

    def command(self):
        return [f"{self.home}/bin/python", "manage.py", "migrate", "--noinput"]


class Goose(Tool):
    name, key = "Goose", "goose"
    databases = ("postgres", "mariadb", "sqlite")
    # Without its variables it prints how it is used.
    expects = {"checksum-changed": (OK,), "missing-file": (OK,), "missing-config": ("WrongCommand", "MissingEnv")}

    def sql(self, statements):
        return "-- +goose Up\n" + super().sql(statements)

    def file(self, number, name):
        return f"{self.directory}/{number:05}_{name}.sql"

    def env(self):
        a = self.address
        dsn = {"postgres": a.url("postgres", "?sslmode=disable"), "sqlite": a.database,
               "mariadb": f"{a.user}:{a.password}@tcp({a.host}:{a.port})/{a.database}?parseTime=true"}[self.kind]
        driver = {"postgres": "postgres", "mariadb": "mysql", "sqlite": "sqlite3"}[self.kind]
        return {"GOOSE_DRIVER": driver, "GOOSE_DBSTRING": dsn, "GOOSE_MIGRATION_DIR": "migrations"}

    def command(self):
        return [f"{self.home}/bin/goose", "up"]


class GolangMigrate(Tool):
    name, key = "GolangMigrate", "golang-migrate"
    databases = ("postgres", "mariadb", "sqlite")
    expects = {"checksum-changed": (OK,), "rerun-after-failure": ("DirtyState",)}

    def file(self, number, name):
        return f"{self.directory}/{number:06}_{name}.up.sql"

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


class Node(Tool):
    def write(self, migrations):
        super().write(migrations)
        (self.work / "node_modules").symlink_to(self.home / "node_modules")

    def bin(self, name, *arguments):
        return [f"node_modules/.bin/{name}", *arguments]


class Knex(Node):
    name, key, beside = "Knex", "knex", "pg 8.16.3, mysql2 3.15.3"
    databases = ("postgres", "mariadb")
    config = "knexfile.js"
    # A port that is no number is dropped without a word for the default one.
    expects = {"checksum-changed": (OK,), "bad-url": ("Unreachable",)}

    def project(self):
        client = {"postgres": "pg", "mariadb": "mysql2"}[self.kind]
        self.put("knexfile.js", f"module.exports = {{ client: '{client}', connection: process.env.DATABASE_URL, migrations: {{ directory: './migrations' }} }}\n")

    def file(self, number, name):
        return f"{self.directory}/2026010{number}120000_{name}.js"

    def migration(self, number, name, statements):
        body = "".join(f"  await knex.raw({json.dumps(statement)})\n" for statement in statements)
        self.put(self.file(number, name), f"exports.up = async knex => {{\n{body}}}\nexports.down = async () => {{}}\n")

    def command(self):
        return self.bin("knex", "migrate:latest")


class TypeOrm(Node):
    name, key, beside = "TypeOrm", "typeorm", "pg 8.16.3, mysql2 3.15.3"
    databases = ("postgres", "mariadb")
    config = "data-source.js"
    # On MariaDB a port that is no number is dropped for the default one.
    expects = {"checksum-changed": (OK,), "missing-file": (OK,), ("mariadb", "bad-url"): ("Unreachable",)}

    def project(self):
        kind = {"postgres": "postgres", "mariadb": "mariadb"}[self.kind]
        self.put("data-source.js", "const { DataSource } = require('typeorm')\n\nmodule.exports = new DataSource({ "
                 f"type: '{kind}', url: process.env.DATABASE_URL, migrations: ['migrations/*.js'] }})\n")

    def file(self, number, name):
        return f"{self.directory}/176730000000{number}-{name.capitalize()}.js"

    def migration(self, number, name, statements):
        body = "".join(f"    await runner.query({json.dumps(statement)})\n" for statement in statements)
        self.put(self.file(number, name), f"module.exports = class {name.capitalize()}176730000000{number} {{\n  async up(runner) {{\n{body}  }}\n  async down() {{}}\n}}\n")

    def command(self):
        return self.bin("typeorm", "migration:run", "-d", "data-source.js")


class Sequelize(Node):
    name, key, beside = "Sequelize", "sequelize", "sequelize-cli 6.6.5, pg 8.16.3, mysql2 3.15.3"
    databases = ("postgres", "mariadb")
    config = "config/config.js"
    # As with Knex.
    expects = {"checksum-changed": (OK,), "missing-file": (OK,), "bad-url": ("Unreachable", "InvalidUrl")}

    def project(self):
        dialect = {"postgres": "postgres", "mariadb": "mysql"}[self.kind]
        self.put("config/config.js", f"module.exports = {{ production: {{ use_env_variable: 'DATABASE_URL', dialect: '{dialect}' }} }}\n")

    def file(self, number, name):
        return f"{self.directory}/2026010{number}120000-{name}.js"

    def migration(self, number, name, statements):
        body = "".join(f"    await context.sequelize.query({json.dumps(statement)})\n" for statement in statements)
        self.put(self.file(number, name), f"module.exports = {{\n  async up(context) {{\n{body}  }},\n  async down() {{}},\n}}\n")

    def env(self):
        return {**super().env(), "NODE_ENV": "production"}

    def command(self):
        return self.bin("sequelize-cli", "db:migrate")


class Drizzle(Node):
    name, key, beside = "Drizzle", "drizzle", "drizzle-orm 0.44.7, pg 8.16.3, mysql2 3.15.3, @libsql/client 0.15.15"
    databases = ("postgres", "mariadb", "sqlite")
    config, directory = "drizzle.config.js", "drizzle"
    # Its journal names the files, and one that is missing is a file that is missing, whatever was applied.
    expects = {"checksum-changed": (OK,), "missing-file": ("SchemaFileMissing",)}
    untold = dict.fromkeys((s.name for s in SITUATIONS if s.name not in ("connection-killed", "process-killed", "missing-config")),
                           "it prints no error: the exit code alone tells")
    untold[("mariadb", "connection-killed")] = untold["unique"]

    def project(self):
        dialect = {"postgres": "postgresql", "mariadb": "mysql", "sqlite": "sqlite"}[self.kind]
        self.put("drizzle.config.js", f"module.exports = {{ dialect: '{dialect}', out: './drizzle', dbCredentials: {{ url: process.env.DATABASE_URL }} }}\n")

    def url(self):
        return f"file:{self.address.database}" if self.kind == "sqlite" else super().url()

    def sql(self, statements):
        return "--> statement-breakpoint\n".join(f"{statement};\n" for statement in statements)

    def write(self, migrations):
        super().write(migrations)
        dialect = {"postgres": "postgresql", "mariadb": "mysql", "sqlite": "sqlite"}[self.kind]
        entries = [{"idx": n - 1, "version": "7", "when": 1767300000000 + n, "tag": f"{n:04}_{name}", "breakpoints": True} for n, name, _ in migrations]
        self.put("drizzle/meta/_journal.json", json.dumps({"version": "7", "dialect": dialect, "entries": entries}))

    def command(self):
        return self.bin("drizzle-kit", "migrate")


class Prisma(Node):
    name, key, beside = "Prisma", "prisma", "@prisma/adapter-pg 6.19.0, the engine as WASM"
    config, directory = "prisma/schema.prisma", "prisma/migrations"
    # The engine as WASM says the same of a host without an address and of one that does not answer, and it puts no log of a
    # failure on record, which is also what an interrupted run leaves behind.
    expects = {"checksum-changed": (OK,), "missing-file": (OK,), "dns": ("Dns", "Unreachable"),
               "rerun-after-failure": ("FailedMigrationRecorded", "FailedWithoutLog")}
    untold = {"bad-url": "the engine as WASM hides what the driver throws behind a number"}

    def project(self):
        offline = (HERE.parent / "images/offline/prisma.config.ts").read_text()
        self.put("prisma.config.ts", offline.replace("/opt/offline/", "./"))
        self.put("prisma.config.shop.ts", "export default { schema: 'prisma/schema.prisma' }\n")
        self.put("prisma/schema.prisma", 'datasource db {\n  provider = "postgresql"\n  url      = env("DATABASE_URL")\n}\n')
        self.put("prisma/migrations/migration_lock.toml", 'provider = "postgresql"\n')

    def file(self, number, name):
        return f"{self.directory}/2026010{number}120000_{name}/migration.sql"

    def url(self):
        return self.address.url("postgresql")

    def command(self):
        return self.bin("prisma", "migrate", "deploy")


class Jdbc(Tool):
    def url(self):
        a = self.address
        return {"postgres": f"jdbc:postgresql://{a.host}:{a.port}/{a.database}", "sqlite": f"jdbc:sqlite:{a.database}",
                "mariadb": f"jdbc:mariadb://{a.host}:{a.port}/{a.database}"}[self.kind]


class Flyway(Jdbc):
    name, key, beside = "Flyway", "flyway", "its Maven plugin, PostgreSQL JDBC 42.7.11, MariaDB JDBC 3.5.6, SQLite JDBC 3.50.3.0"
    databases = ("postgres", "mariadb", "sqlite")
    directory = "sql"
    # A database that is newer than the image is none of its concern.
    # Where the database rolls no schema change back, a failed migration stays on record.
    expects = {"missing-file": (OK,), ("mariadb", "rerun-after-failure"): ("FailedMigrationRecorded",)}

    def project(self):
        self.put("pom.xml", (self.home / "pom.xml").read_text())

    def file(self, number, name):
        return f"{self.directory}/V{number}__{name}.sql"

    def env(self):
        return {"FLYWAY_URL": self.url(), "FLYWAY_USER": self.address.user, "FLYWAY_PASSWORD": self.address.password, "FLYWAY_LOCATIONS": "filesystem:sql"}

    def command(self):
        return ["mvn", "-o", "-B", f"-Dmaven.repo.local={self.home}/repository", "org.flywaydb:flyway-maven-plugin:migrate"]


class Liquibase(Jdbc):
    name, key, beside = "Liquibase", "liquibase", "PostgreSQL JDBC 42.7.11, MariaDB JDBC 3.5.6, SQLite JDBC 3.50.3.0"
    databases = ("postgres", "mariadb", "sqlite")
    config, directory = "changelog.yaml", "db"
    expects = {"missing-file": (OK,)}  # `includeAll` takes what is there

    def project(self):
        self.put("changelog.yaml", "databaseChangeLog:\n  - includeAll:\n      path: db\n      relativeToChangelogFile: true\n")

    def migration(self, number, name, statements):
        self.put(self.file(number, name), f"--liquibase formatted sql\n--changeset app:{number}\n" + self.sql(statements))

    def env(self):
        return {"LIQUIBASE_COMMAND_URL": self.url(), "LIQUIBASE_COMMAND_USERNAME": self.address.user, "LIQUIBASE_COMMAND_PASSWORD": self.address.password,
                "LIQUIBASE_COMMAND_CHANGELOG_FILE": "changelog.yaml", "LIQUIBASE_ANALYTICS_ENABLED": "false"}

    def command(self):
        return ["java", "-cp", f"{self.home}/lib/*", "liquibase.integration.commandline.LiquibaseCommandLine", "update"]


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
    expects = {"checksum-changed": (OK,), "missing-file": (OK,)}

    def project(self):
        self.put("diesel.toml", "")

    def file(self, number, name):
        return f"{self.directory}/2026-01-0{number}-120000_{name}/up.sql"

    def url(self):
        return self.address.database if self.kind == "sqlite" else super().url()

    def command(self):
        return [f"{self.home}/bin/diesel", "migration", "run"]


class SeaOrm(Tool):
    name, key, beside = "SeaOrm", "seaorm", "a program of migrations with sea-orm-migration"
    databases = ("postgres", "mariadb", "sqlite")
    # A full server is asked again until the pool's time is up, which is all that is said.
    expects = {"checksum-changed": (OK,), ("postgres", "too-many-connections"): ("TooManyConnections", "Unreachable")}

    def file(self, number, name):
        return f"{self.directory}/m2026010{number}_120000_{name}.sql"

    def url(self):
        return f"sqlite://{self.address.database}?mode=rwc" if self.kind == "sqlite" else super().url()

    def command(self):
        return [f"{self.home}/bin/migration", "up"]


class Rails(Tool):
    name, key, beside = "Rails", "rails", "of Debian, with pg, mysql2 and sqlite3"
    databases = ("postgres", "mariadb", "sqlite")
    directory = "db/migrate"
    # It makes the directory of a file that is not there.
    expects = {"checksum-changed": (OK,), "missing-file": (OK,), ("sqlite", "missing-database"): (OK,)}

    def project(self):
        self.put("bin/rails", "gem 'railties'\nAPP_PATH = File.expand_path('../config/application', __dir__)\nrequire 'rails/commands'\n")
        self.put("Rakefile", "require_relative 'config/application'\nRails.application.load_tasks\n")
        self.put("config/environment.rb", "require_relative 'application'\nRails.application.initialize!\n")
        self.put("config/application.rb", "require 'rails'\nrequire 'active_record/railtie'\n\nmodule Shop\n  class Application < Rails::Application\n"
                 "    config.eager_load = false\n    config.active_record.dump_schema_after_migration = false\n  end\nend\n")

    def file(self, number, name):
        return f"{self.directory}/2026010{number}120000_{name}.rb"

    def migration(self, number, name, statements):
        body = "".join(f"    execute {json.dumps(statement)}\n" for statement in statements)
        self.put(self.file(number, name), f"class {name.capitalize()} < ActiveRecord::Migration[6.1]\n  def up\n{body}  end\nend\n")

    def env(self):
        return {**super().env(), "RAILS_ENV": "production", "SECRET_KEY_BASE": "made-up"}

    def url(self):
        return self.address.url({"postgres": "postgres", "mariadb": "mysql2", "sqlite": "sqlite3:"}[self.kind])

    def command(self):
        return ["ruby", "bin/rails", "db:migrate"]


TOOLS = {tool.key: tool for tool in (Prisma, Alembic, Django, Goose, GolangMigrate, Dbmate, Knex, TypeOrm, Sequelize, Drizzle, Flyway, Liquibase, Sqlx, Diesel, SeaOrm, Rails)}
