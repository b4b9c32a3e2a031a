"""Tools of Python."""
from situations import OK

from .base import Tool


class Python(Tool):
    def url(self):
        return self.address.url({"postgres": "postgresql", "mariadb": "mysql+pymysql", "sqlite": "sqlite:///"}[self.kind])


class Alembic(Python):
    name, key, beside = "Alembic", "alembic", "SQLAlchemy 2.0.58, psycopg2 2.9.13, PyMySQL 1.2.4"
    databases = ("postgres", "mariadb", "sqlite")
    config, directory, pattern = "alembic.ini", "alembic/versions", "{number:04}_{name}.py"
    expects = {"checksum-changed": (OK,)}

    def project(self):
        self.put("alembic.ini", "[alembic]\nscript_location = alembic\n\n[loggers]\nkeys = root,alembic\n[handlers]\nkeys = console\n"
                 "[formatters]\nkeys = generic\n[logger_root]\nlevel = WARN\nhandlers = console\n[logger_alembic]\nlevel = INFO\n"
                 "handlers =\nqualname = alembic\n[handler_console]\nclass = StreamHandler\nargs = (sys.stderr,)\nformatter = generic\n"
                 "[formatter_generic]\nformat = %(levelname)-5.5s [%(name)s] %(message)s\n")
        self.put("alembic/env.py", "import os\nfrom logging.config import fileConfig\nfrom alembic import context\nfrom sqlalchemy import create_engine\n\n"
                 "fileConfig(context.config.config_file_name)\nwith create_engine(os.environ['DATABASE_URL']).connect() as connection:\n"
                 "    context.configure(connection=connection)\n    with context.begin_transaction():\n        context.run_migrations()\n")

    def text(self, number, name, statements):
        before = f"'{number - 1:04}'" if number > 1 else None
        body = "".join(f"    op.execute({statement!r})\n" for statement in statements)
        return f"from alembic import op\n\nrevision = '{number:04}'\ndown_revision = {before}\n\n\ndef upgrade():\n{body}"

    def command(self):
        return [f"{self.home}/bin/alembic", "upgrade", "head"]

    def check(self):
        return [f"{self.home}/bin/alembic", "current", "--check-heads"]


class Django(Python):
    name, key, beside = "Django", "django", "psycopg2 2.9.13, PyMySQL 1.2.4"
    databases = ("postgres", "mariadb", "sqlite")
    directory, pattern = "shop/migrations", "{number:04}_{name}.py"
    # A project without migrations is to it one whose migrations are all applied.
    expects = {"checksum-changed": (OK,), "missing-file": (OK,), "check-empty": (OK,)}

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

    def text(self, number, name, statements):
        needs = f"[('shop', '{number - 1:04}_init')]" if number > 1 else "[]"
        steps = ", ".join(f"migrations.RunSQL({statement!r})" for statement in statements)
        return f"from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    dependencies = {needs}\n    operations = [{steps}]\n"

    def command(self):
        return [f"{self.home}/bin/python", "manage.py", "migrate", "--noinput"]

    def check(self):
        return [f"{self.home}/bin/python", "manage.py", "migrate", "--check", "--plan"]
