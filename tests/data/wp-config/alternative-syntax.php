<?php if (true): ?>
<?php define('DB_NAME', 'a'); ?>
<?php else: ?>
<?php define('DB_NAME', 'b'); ?>
<?php endif; ?>
<?php define('DB_USER', 'u') ?>
