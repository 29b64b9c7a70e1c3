-- An account and an empty database for Watchfloor, PostgreSQL 14 or later. Run once as the server's administrator:
--
--   psql --set ON_ERROR_STOP=1 --file create.sql postgres
--   psql --command '\password watchfloor' postgres
--
-- The program makes its own tables at its first start, and brings them up to date at later ones. Back the database up
-- with pg_dump before an upgrade: the program copies SQLite files before a migration, a server it does not touch.

CREATE ROLE watchfloor LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION CONNECTION LIMIT 20;

CREATE DATABASE watchfloor
    OWNER watchfloor
    ENCODING 'UTF8'
    LC_COLLATE 'C'
    LC_CTYPE 'C'
    TEMPLATE template0;

REVOKE ALL ON DATABASE watchfloor FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE watchfloor TO watchfloor;

ALTER ROLE watchfloor IN DATABASE watchfloor SET timezone TO 'UTC';
ALTER ROLE watchfloor IN DATABASE watchfloor SET idle_in_transaction_session_timeout TO '60s';
