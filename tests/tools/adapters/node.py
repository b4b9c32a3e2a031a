"""Tools of Node."""
import json
from pathlib import Path

from situations import OK, SITUATIONS

from .base import Tool

HERE = Path(__file__).resolve().parents[1]


class Node(Tool):
    def write(self, migrations):
        super().write(migrations)
        (self.work / "node_modules").symlink_to(self.home / "node_modules")

    def bin(self, name, *arguments):
        return [f"node_modules/.bin/{name}", *arguments]


class Knex(Node):
    name, key, beside = "Knex", "knex", "pg 8.16.3, mysql2 3.15.3"
    databases = ("postgres", "mariadb")
    pattern = "2026010{number}120000_{name}.js"
    config = "knexfile.js"
    # A port that is no number is dropped without a word for the default one.
    expects = {"checksum-changed": (OK,), "bad-url": ("Unreachable",)}

    def project(self):
        client = {"postgres": "pg", "mariadb": "mysql2"}[self.kind]
        self.put("knexfile.js", f"module.exports = {{ client: '{client}', connection: process.env.DATABASE_URL, migrations: {{ directory: './migrations' }} }}\n")

    def text(self, number, name, statements):
        body = "".join(f"  await knex.raw({json.dumps(statement)})\n" for statement in statements)
        return f"exports.up = async knex => {{\n{body}}}\nexports.down = async () => {{}}\n"

    def command(self):
        return self.bin("knex", "migrate:latest")

    def check(self):
        return self.bin("knex", "migrate:status")


class TypeOrm(Node):
    name, key, beside = "TypeOrm", "typeorm", "pg 8.16.3, mysql2 3.15.3"
    databases = ("postgres", "mariadb")
    pattern = "176730000000{number}-{title}.js"
    config = "data-source.js"
    # On MariaDB a port that is no number is dropped for the default one.
    expects = {"checksum-changed": (OK,), "missing-file": (OK,), ("mariadb", "bad-url"): ("Unreachable",)}

    def project(self):
        kind = {"postgres": "postgres", "mariadb": "mariadb"}[self.kind]
        self.put("data-source.js", "const { DataSource } = require('typeorm')\n\nmodule.exports = new DataSource({ "
                 f"type: '{kind}', url: process.env.DATABASE_URL, migrations: ['migrations/*.js'] }})\n")

    def text(self, number, name, statements):
        body = "".join(f"    await runner.query({json.dumps(statement)})\n" for statement in statements)
        return f"module.exports = class {name.capitalize()}176730000000{number} {{\n  async up(runner) {{\n{body}  }}\n  async down() {{}}\n}}\n"

    def command(self):
        return self.bin("typeorm", "migration:run", "-d", "data-source.js")

    def check(self):
        return self.bin("typeorm", "migration:show", "-d", "data-source.js")


class Sequelize(Node):
    name, key, beside = "Sequelize", "sequelize", "sequelize-cli 6.6.5, pg 8.16.3, mysql2 3.15.3"
    databases = ("postgres", "mariadb")
    pattern = "2026010{number}120000-{name}.js"
    config = "config/config.js"
    # As with Knex.
    expects = {"checksum-changed": (OK,), "missing-file": (OK,), "bad-url": ("Unreachable", "InvalidUrl")}

    def project(self):
        dialect = {"postgres": "postgres", "mariadb": "mysql"}[self.kind]
        self.put("config/config.js", f"module.exports = {{ production: {{ use_env_variable: 'DATABASE_URL', dialect: '{dialect}' }} }}\n")

    def text(self, number, name, statements):
        body = "".join(f"    await context.sequelize.query({json.dumps(statement)})\n" for statement in statements)
        return f"module.exports = {{\n  async up(context) {{\n{body}  }},\n  async down() {{}},\n}}\n"

    def env(self):
        return {**super().env(), "NODE_ENV": "production"}

    def command(self):
        return self.bin("sequelize-cli", "db:migrate")

    def check(self):
        return self.bin("sequelize-cli", "db:migrate:status")


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
    config, directory, pattern = "prisma/schema.prisma", "prisma/migrations", "2026010{number}120000_{name}/migration.sql"
    # The engine as WASM says the same of a host without an address and of one that does not answer, and it puts no log of a
    # failure on record, which is also what an interrupted run leaves behind.
    expects = {"checksum-changed": (OK,), "missing-file": (OK,), "dns": ("Dns", "Unreachable"),
               "rerun-after-failure": ("FailedMigrationRecorded", "FailedWithoutLog"),
               "check-failed": ("FailedMigrationRecorded", "FailedWithoutLog"), "check-empty": ("NoMigrations", "BaselineNeeded")}
    untold = {"bad-url": "the engine as WASM hides what the driver throws behind a number"}

    def project(self):
        offline = (HERE.parent / "images/offline/prisma.config.ts").read_text()
        self.put("prisma.config.ts", offline.replace("/opt/offline/", "./"))
        self.put("prisma.config.shop.ts", "export default { schema: 'prisma/schema.prisma' }\n")
        self.put("prisma/schema.prisma", 'datasource db {\n  provider = "postgresql"\n  url      = env("DATABASE_URL")\n}\n')
        self.put("prisma/migrations/migration_lock.toml", 'provider = "postgresql"\n')

    def url(self):
        return self.address.url("postgresql")

    def command(self):
        return self.bin("prisma", "migrate", "deploy")

    def check(self):
        return self.bin("prisma", "migrate", "status")
