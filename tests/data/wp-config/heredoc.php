<?php
define('DB_NAME', <<<EOT
here
EOT);
define('DB_PASSWORD', <<<'EOT'
raw $x \n
EOT);
define('DB_USER', <<<"EOT"
a\tb
EOT);
