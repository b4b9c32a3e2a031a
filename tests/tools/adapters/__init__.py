"""The tools, in the order in which they are recorded."""
from .base import Address
from .go import Goose, GolangMigrate, Dbmate
from .java import Flyway, Liquibase
from .node import Knex, TypeOrm, Sequelize, Drizzle, Prisma
from .python import Alembic, Django
from .ruby import Rails
from .rust import Sqlx, Diesel, SeaOrm

ALL = (Prisma, Alembic, Django, Goose, GolangMigrate, Dbmate, Knex, TypeOrm, Sequelize, Drizzle, Flyway, Liquibase, Sqlx, Diesel, SeaOrm,
       Rails)
TOOLS = {tool.key: tool for tool in ALL}
