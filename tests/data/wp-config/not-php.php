DB_NAME=foo
DB_USER=bar
