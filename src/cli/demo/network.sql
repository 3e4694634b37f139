-- A practice network: the plugin's tables as WordPress's SQLite integration keeps them.
CREATE TABLE wp_site (id INTEGER PRIMARY KEY, domain TEXT NOT NULL, path TEXT NOT NULL DEFAULT '/');
CREATE TABLE wp_blogs (
    blog_id  INTEGER PRIMARY KEY,
    site_id  INTEGER NOT NULL DEFAULT 1,
    domain   TEXT    NOT NULL,
    path     TEXT    NOT NULL DEFAULT '/',
    archived INTEGER NOT NULL DEFAULT 0,
    spam     INTEGER NOT NULL DEFAULT 0,
    deleted  INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE wp_wu_domain_mappings (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    blog_id        INTEGER NOT NULL,
    domain         TEXT    NOT NULL,
    active         INTEGER DEFAULT 1,
    primary_domain INTEGER DEFAULT 0,
    secure         INTEGER DEFAULT 0,
    stage          TEXT    DEFAULT 'checking-dns',
    date_created   TEXT,
    date_modified  TEXT
);
CREATE TABLE wp_sitemeta (
    meta_id    INTEGER PRIMARY KEY AUTOINCREMENT,
    site_id    INTEGER NOT NULL DEFAULT 0,
    meta_key   TEXT,
    meta_value TEXT
);
-- The plugin's own checks: none is waiting.
CREATE TABLE wp_actionscheduler_actions (
    action_id          INTEGER PRIMARY KEY AUTOINCREMENT,
    hook               TEXT NOT NULL,
    status             TEXT NOT NULL,
    scheduled_date_gmt TEXT,
    args               TEXT,
    last_attempt_gmt   TEXT
);
INSERT INTO wp_sitemeta (site_id, meta_key, meta_value) VALUES (1, 'wp-ultimo_v2_settings',
    'a:4:{s:21:"enable_domain_mapping";s:1:"1";s:10:"enable_api";s:1:"1";s:7:"api_key";s:24:"PracticeKeyOfThePlugin00";s:10:"api_secret";s:24:"PracticeSecretOfPlugin00";}');
INSERT INTO wp_site (id, domain) VALUES (1, 'agency.example');
INSERT INTO wp_blogs (blog_id, domain) VALUES
    (1, 'agency.example'), (2, 'bakery.agency.example'), (3, 'florist.agency.example'),
    (4, 'yoga.agency.example'), (5, 'dentist.agency.example'), (6, 'books.agency.example'),
    (7, 'law.agency.example'), (8, 'studio.agency.example'), (9, 'school.agency.example'),
    (10, 'travel.agency.example'), (11, 'vet.agency.example'), (12, 'music.agency.example');
-- Site 12 never got its record: the hook that writes it failed.
INSERT INTO wp_wu_domain_mappings (blog_id, domain)
    SELECT blog_id, domain FROM wp_blogs WHERE blog_id BETWEEN 2 AND 11;
INSERT INTO wp_wu_domain_mappings (blog_id, domain, secure, stage)
    SELECT column1, column2, 1, 'done' FROM (VALUES
    (2, 'the-bakery.example'),
    (3, '*.flowers.example'),
    (4, 'xn--yoga-dsseldorf-lsb.example'),
    (5, 'https://smile.example/'),
    (6, 'old-books.example'),
    (7, 'law-and-order.example'));
