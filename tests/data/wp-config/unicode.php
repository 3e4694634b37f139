<?php
define('DB_PASSWORD', 'pässwörd-日本-🔑');
define('DB_NAME', 'datenbank_ü');
