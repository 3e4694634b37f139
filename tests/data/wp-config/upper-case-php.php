<?PHP
DEFINE('DB_NAME', 'shout');
\define('DB_USER', 'rooted');
if (! \defined('DB_HOST')) { \define('DB_HOST', \DB_NAME); }
