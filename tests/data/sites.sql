-- Rows for both: sites of two networks, with values as people and old versions of the plugin write them.
INSERT INTO wp_site (id, domain, path) VALUES (1, 'agency.example', '/'), (2, 'second.example', '/');
INSERT INTO wp_blogs (blog_id, site_id, domain, path, archived, spam, deleted) VALUES
  (1, 1, 'agency.example', '/', 0, 0, 0),
  (2, 1, 'bakery.agency.example', '/', 0, 0, 0),
  (3, 1, 'florist.agency.example', '/', 0, 0, 0),
  (4, 1, 'never-recorded.agency.example', '/', 0, 0, 0),
  (5, 1, 'archived.agency.example', '/', 1, 0, 0),
  (6, 1, 'spam.agency.example', '/', 0, 1, 0),
  (7, 1, 'deleted.agency.example', '/', 0, 0, 1),
  (8, 1, 'agency.example', '/shop/', 0, 0, 0),
  (9, 1, 'localhost', '/', 0, 0, 0),
  (10, 1, 'twins.agency.example', '/', 0, 0, 0),
  (11, 1, 'twins.agency.example', '/b/', 0, 0, 0),
  (12, 1, 'taken.example', '/', 0, 0, 0),
  (13, 2, 'second.example', '/', 0, 0, 0),
  (14, 2, 'club.second.example', '/', 0, 0, 0);
INSERT INTO wp_wu_domain_mappings (id, blog_id, domain, active, primary_domain, secure, stage, date_created, date_modified) VALUES
  (1, 2, 'bakery.agency.example', 1, 1, 0, 'checking-dns', '2026-01-02 03:04:05', '2026-01-02 03:04:05'),
  (2, 3, 'florist.agency.example', 1, 1, 0, 'checking-dns', '2026-01-02 03:04:05', '0000-00-00 00:00:00'),
  (3, 2, 'the-bakery.example', 1, 0, 1, 'done', NULL, NULL),
  (4, 3, 'Roses.EXAMPLE. ', 0, NULL, NULL, NULL, NULL, NULL),
  (5, 3, '*.roses.example', 1, 0, 0, 'ssl-failed', NULL, NULL),
  (6, 3, 'blümen.example', 1, 0, 0, 'done-without-ssl', NULL, NULL),
  (7, 2, 'taken.example', 1, 0, 0, 'failed', NULL, NULL),
  (8, 3, 'taken.example', 1, 0, 0, 'failed', NULL, NULL),
  (9, 999, 'orphan.example', 1, 0, 0, 'done', NULL, NULL),
  (10, 1, 'agency.example', 1, 1, 0, 'done', NULL, NULL),
  (11, 2, 'https://pasted.example/', 1, 0, 0, 'done', NULL, NULL),
  (12, 2, '', 1, 0, 0, 'done', NULL, NULL),
  (13, 2, 'evil.example&domain=victim.example', 1, 0, 0, 'done', NULL, NULL);
