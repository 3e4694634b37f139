<?php
const DB_NAME = 'c', DB_USER = 'u';
const DB_HOST = DB_NAME . '.example';
