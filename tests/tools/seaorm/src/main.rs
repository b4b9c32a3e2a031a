//! A program of migrations as SeaORM's own generator lays it out, but for its migrations: each is a file of SQL.

use std::fs;

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::ConnectionTrait;

struct Migrator;

struct File {
    name: String,
    sql: String,
}

impl MigrationName for File {
    fn name(&self) -> &str {
        &self.name
    }
}

#[async_trait::async_trait]
impl MigrationTrait for File {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(&self.sql).await.map(drop)
    }
}

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut paths: Vec<_> = fs::read_dir("migrations").unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let read = |path: &std::path::PathBuf| -> Box<dyn MigrationTrait> {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            Box::new(File { name, sql: fs::read_to_string(path).unwrap() })
        };
        paths.iter().map(read).collect()
    }
}

#[tokio::main]
async fn main() {
    cli::run_cli(Migrator).await;
}
