<?php
define('DB_PASSWORD', 'it\'s a \\ back\nslash $novar "x"');
