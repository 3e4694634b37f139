<?php
define("DB_PASSWORD", "q\"u\\o\te\$x \x41\101\u{e9}\q 'y'");
