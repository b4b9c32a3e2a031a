-- The seed rows hold one sku twice, as a table does that has been in use for years. Nothing else stands in this migration,
-- so that its failure leaves nothing behind.
CREATE UNIQUE INDEX "Product_sku_key" ON "Product"("sku");
