-- The same tables in WordPress's SQLite integration.
CREATE TABLE wp_site (
  id integer NOT NULL PRIMARY KEY AUTOINCREMENT,
  domain text NOT NULL DEFAULT '' COLLATE NOCASE,
  path text NOT NULL DEFAULT '' COLLATE NOCASE
);
CREATE TABLE wp_blogs (
  blog_id integer NOT NULL PRIMARY KEY AUTOINCREMENT,
  site_id integer NOT NULL DEFAULT 0,
  domain text NOT NULL DEFAULT '' COLLATE NOCASE,
  path text NOT NULL DEFAULT '' COLLATE NOCASE,
  registered text NOT NULL DEFAULT '0000-00-00 00:00:00',
  last_updated text NOT NULL DEFAULT '0000-00-00 00:00:00',
  public integer NOT NULL DEFAULT 1,
  archived integer NOT NULL DEFAULT 0,
  mature integer NOT NULL DEFAULT 0,
  spam integer NOT NULL DEFAULT 0,
  deleted integer NOT NULL DEFAULT 0,
  lang_id integer NOT NULL DEFAULT 0
);
CREATE TABLE wp_wu_domain_mappings (
  id integer NOT NULL PRIMARY KEY AUTOINCREMENT,
  blog_id integer NOT NULL,
  domain text NOT NULL COLLATE NOCASE,
  active integer DEFAULT 1,
  primary_domain integer DEFAULT 0,
  secure integer DEFAULT 0,
  stage text DEFAULT 'checking-dns',
  date_created text DEFAULT NULL,
  date_modified text DEFAULT NULL
);
CREATE INDEX wp_wu_domain_mappings_blog_id ON wp_wu_domain_mappings (blog_id, domain, active);

CREATE TABLE wp_sitemeta (
  meta_id integer NOT NULL PRIMARY KEY AUTOINCREMENT,
  site_id integer NOT NULL DEFAULT 0,
  meta_key text DEFAULT NULL COLLATE NOCASE,
  meta_value text COLLATE NOCASE
);

CREATE TABLE wp_wu_forms (
  id integer NOT NULL PRIMARY KEY AUTOINCREMENT,
  name text NOT NULL DEFAULT '' COLLATE NOCASE,
  slug text DEFAULT NULL COLLATE NOCASE,
  active integer DEFAULT 1,
  settings text DEFAULT NULL COLLATE NOCASE
);
