<?php
# define('DB_NAME', 'old');
// define('DB_NAME', 'older');
/* define('DB_NAME', 'oldest'); */
define( /* the name */ 'DB_NAME', // here
  'new' # yes
);
