"""Tools of Java."""
from situations import OK

from .base import Tool


class Jdbc(Tool):
    def url(self):
        a = self.address
        return {"postgres": f"jdbc:postgresql://{a.host}:{a.port}/{a.database}", "sqlite": f"jdbc:sqlite:{a.database}",
                "mariadb": f"jdbc:mariadb://{a.host}:{a.port}/{a.database}"}[self.kind]


class Flyway(Jdbc):
    name, key, beside = "Flyway", "flyway", "its Maven plugin, PostgreSQL JDBC 42.7.11, MariaDB JDBC 3.5.6, SQLite JDBC 3.50.3.0"
    databases = ("postgres", "mariadb", "sqlite")
    directory, pattern = "sql", "V{number}__{name}.sql"
    # A database that is newer than the image is none of its concern.
    # Where the database rolls no schema change back, a failed migration stays on record.
    expects = {"missing-file": (OK,), ("mariadb", "rerun-after-failure"): ("FailedMigrationRecorded",),
               ("mariadb", "check-failed"): ("FailedMigrationRecorded",)}

    def project(self):
        self.put("pom.xml", (self.home / "pom.xml").read_text())

    def env(self):
        return {"FLYWAY_URL": self.url(), "FLYWAY_USER": self.address.user, "FLYWAY_PASSWORD": self.address.password, "FLYWAY_LOCATIONS": "filesystem:sql"}

    def command(self, goal="migrate"):
        return ["mvn", "-o", "-B", f"-Dmaven.repo.local={self.home}/repository", f"org.flywaydb:flyway-maven-plugin:{goal}"]

    def check(self):
        return self.command("validate")


class Liquibase(Jdbc):
    name, key, beside = "Liquibase", "liquibase", "PostgreSQL JDBC 42.7.11, MariaDB JDBC 3.5.6, SQLite JDBC 3.50.3.0"
    databases = ("postgres", "mariadb", "sqlite")
    config, directory = "changelog.yaml", "db"
    # `includeAll` takes what is there, and refuses a directory with nothing in it.
    expects = {"missing-file": (OK,), "check-empty": ("SchemaFileMissing", "InvalidSchema", "NoMigrations")}

    def project(self):
        self.put("changelog.yaml", "databaseChangeLog:\n  - includeAll:\n      path: db\n      relativeToChangelogFile: true\n")

    def text(self, number, name, statements):
        return f"--liquibase formatted sql\n--changeset app:{number}\n" + self.sql(statements)

    def env(self):
        return {"LIQUIBASE_COMMAND_URL": self.url(), "LIQUIBASE_COMMAND_USERNAME": self.address.user, "LIQUIBASE_COMMAND_PASSWORD": self.address.password,
                "LIQUIBASE_COMMAND_CHANGELOG_FILE": "changelog.yaml", "LIQUIBASE_ANALYTICS_ENABLED": "false"}

    def command(self, command="update"):
        return ["java", "-cp", f"{self.home}/lib/*", "liquibase.integration.commandline.LiquibaseCommandLine", command]

    def check(self):
        return self.command("status")
