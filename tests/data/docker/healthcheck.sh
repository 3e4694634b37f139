#!/bin/sh
# It answers, if only that it does not know this user.
exec mariadb-admin --host=127.0.0.1 --user=nobody ping
