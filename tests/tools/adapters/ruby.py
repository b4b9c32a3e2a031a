"""Rails."""
import json

from situations import OK

from .base import Tool


class Rails(Tool):
    name, key, beside = "Rails", "rails", "of Debian, with pg, mysql2 and sqlite3"
    databases = ("postgres", "mariadb", "sqlite")
    directory, pattern = "db/migrate", "2026010{number}120000_{name}.rb"
    # It makes the directory of a file that is not there.
    expects = {"checksum-changed": (OK,), "missing-file": (OK,), ("sqlite", "missing-database"): (OK,)}

    def project(self):
        self.put("bin/rails", "gem 'railties'\nAPP_PATH = File.expand_path('../config/application', __dir__)\nrequire 'rails/commands'\n")
        self.put("Rakefile", "require_relative 'config/application'\nRails.application.load_tasks\n")
        self.put("config/environment.rb", "require_relative 'application'\nRails.application.initialize!\n")
        self.put("config/application.rb", "require 'rails'\nrequire 'active_record/railtie'\n\nmodule Shop\n  class Application < Rails::Application\n"
                 "    config.eager_load = false\n    config.active_record.dump_schema_after_migration = false\n  end\nend\n")

    def text(self, number, name, statements):
        body = "".join(f"    execute {json.dumps(statement)}\n" for statement in statements)
        return f"class {name.capitalize()} < ActiveRecord::Migration[6.1]\n  def up\n{body}  end\nend\n"

    def env(self):
        return {**super().env(), "RAILS_ENV": "production", "SECRET_KEY_BASE": "made-up"}

    def url(self):
        return self.address.url({"postgres": "postgres", "mariadb": "mysql2", "sqlite": "sqlite3:"}[self.kind])

    def command(self):
        return ["ruby", "bin/rails", "db:migrate"]

    def check(self):
        return ["ruby", "bin/rails", "db:abort_if_pending_migrations", "db:migrate:status"]
