-- What the plugin's domain table says of the row that maps the name: see RowState::to_bits in
-- src/status/row.rs. NULL without a row.
ALTER TABLE managed ADD COLUMN row_state INTEGER;
