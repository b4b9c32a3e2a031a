INSERT INTO "Product" ("sku", "name", "priceCents") VALUES
    ('TEA-4711', 'Green tea', 450),
    ('MUG-0815', 'Stoneware mug', 1200),
    ('TEA-4711', 'Green tea, gift box', 990);
