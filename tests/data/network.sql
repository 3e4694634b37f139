-- The tables of WordPress 7.0 and Ultimate Multisite 2.14 in MySQL or MariaDB.
CREATE TABLE wp_site (
  id bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  domain varchar(200) NOT NULL DEFAULT '',
  path varchar(100) NOT NULL DEFAULT '',
  PRIMARY KEY (id),
  KEY domain (domain(140), path(51))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci;

CREATE TABLE wp_blogs (
  blog_id bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  site_id bigint(20) unsigned NOT NULL DEFAULT 0,
  domain varchar(200) NOT NULL DEFAULT '',
  path varchar(100) NOT NULL DEFAULT '',
  registered datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  last_updated datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  public tinyint(2) NOT NULL DEFAULT 1,
  archived tinyint(2) NOT NULL DEFAULT 0,
  mature tinyint(2) NOT NULL DEFAULT 0,
  spam tinyint(2) NOT NULL DEFAULT 0,
  deleted tinyint(2) NOT NULL DEFAULT 0,
  lang_id int(11) NOT NULL DEFAULT 0,
  PRIMARY KEY (blog_id),
  KEY domain (domain(50), path(5)),
  KEY lang_id (lang_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci;

CREATE TABLE wp_wu_domain_mappings (
  id bigint(20) NOT NULL AUTO_INCREMENT,
  blog_id bigint(20) NOT NULL,
  domain varchar(191) NOT NULL,
  active tinyint(4) DEFAULT 1,
  primary_domain tinyint(4) DEFAULT 0,
  secure tinyint(4) DEFAULT 0,
  stage enum('checking-dns','checking-ssl-cert','done-without-ssl','done','failed','ssl-failed') DEFAULT 'checking-dns',
  date_created datetime DEFAULT NULL,
  date_modified datetime DEFAULT NULL,
  PRIMARY KEY (id),
  KEY blog_id (blog_id, domain, active),
  KEY domain (domain)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci;


CREATE TABLE wp_sitemeta (
  meta_id bigint(20) NOT NULL AUTO_INCREMENT,
  site_id bigint(20) NOT NULL DEFAULT 0,
  meta_key varchar(255) DEFAULT NULL,
  meta_value longtext DEFAULT NULL,
  PRIMARY KEY (meta_id),
  KEY meta_key (meta_key(191)),
  KEY site_id (site_id)
) DEFAULT CHARSET=utf8mb4;

CREATE TABLE wp_wu_forms (
  id bigint(20) NOT NULL AUTO_INCREMENT,
  name tinytext NOT NULL DEFAULT '',
  slug varchar(255) DEFAULT NULL,
  active tinyint(4) DEFAULT 1,
  settings longtext DEFAULT NULL,
  custom_css longtext DEFAULT NULL,
  allowed_countries text DEFAULT NULL,
  date_created datetime DEFAULT NULL,
  date_modified datetime DEFAULT NULL,
  PRIMARY KEY (id)
) DEFAULT CHARSET=utf8mb4;
