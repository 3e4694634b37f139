-- A database user with the rights that closte-sync needs, and no others. Put a password for 'a-password', and the
-- table prefix of wp-config.php for wp_ where it is another; then: sudo mariadb wordpress < database-user.sql
CREATE USER 'closte_sync'@'localhost' IDENTIFIED BY 'a-password';
GRANT SELECT ON wp_site TO 'closte_sync'@'localhost';
GRANT SELECT ON wp_blogs TO 'closte_sync'@'localhost';
GRANT SELECT ON wp_sitemeta TO 'closte_sync'@'localhost';
-- For missing domain records.
GRANT SELECT, INSERT ON wp_wu_domain_mappings TO 'closte_sync'@'localhost';
GRANT SELECT ON wp_wu_forms TO 'closte_sync'@'localhost';
-- For stages that are written by SQL.
GRANT UPDATE (stage, secure, date_modified) ON wp_wu_domain_mappings TO 'closte_sync'@'localhost';
-- Without this, closte-sync does not know when the plugin itself checks a domain, and waits for one interval of the
-- plugin's after each change of a row.
GRANT SELECT ON wp_actionscheduler_actions TO 'closte_sync'@'localhost';
