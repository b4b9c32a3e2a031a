-- A typing error that no test has caught.
ALTER TABEL "Product" ADD COLUMN "stock" INTEGER NOT NULL DEFAULT 0;
