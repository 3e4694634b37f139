<?php
/**
 * WordPress on Heroku: an add-on's variable sets the database.
 */

// ** The database's address comes as one URL ** //
$db = parse_url( getenv( 'DATABASE_URL' ) );

define( 'DB_NAME',     trim( $db['path'], '/' ) );
define( 'DB_USER',     $db['user'] );
define( 'DB_PASSWORD', $db['pass'] );
define( 'DB_HOST',     $db['host'] );
define( 'DB_CHARSET', 'utf8' );
define( 'DB_COLLATE', '' );

define( 'AUTH_KEY', getenv( 'AUTH_KEY' ) );

$table_prefix = 'wp_';

define( 'WP_DEBUG', false );
define( 'FORCE_SSL_ADMIN', true );
if ( isset( $_SERVER['HTTP_X_FORWARDED_PROTO'] ) && $_SERVER['HTTP_X_FORWARDED_PROTO'] === 'https' ) {
	$_SERVER['HTTPS'] = 'on';
}

define( 'MULTISITE', true );
define( 'DOMAIN_CURRENT_SITE', getenv( 'NOT_SET' ) ?: 'network.example' );
define( 'SITE_ID_CURRENT_SITE', 1 );

if ( ! defined( 'ABSPATH' ) ) {
	define( 'ABSPATH', dirname( __FILE__ ) . '/' );
}
require_once ABSPATH . 'wp-settings.php';
