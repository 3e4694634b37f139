#!/usr/bin/env php
some text <?= 'x' ?>
<?php define('DB_NAME', 'n'); ?>
define('DB_USER', 'text');
