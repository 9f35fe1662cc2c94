-- Roles of a result store of rkbench in PostgreSQL, with the least rights that each needs.
-- Run once by a superuser, in the database that is to be the store (docs/postgresql.md):
--   createdb rkbench
--   psql -d rkbench -v ON_ERROR_STOP=1 -f roles.sql
-- Then give each a password (psql: \password rkbench_writer) or a certificate. Running it again changes nothing.
--
-- rkbench_owner   makes the tables, migrates them, prunes: for `bench store migrate` and `prune`, by hand
-- rkbench_writer  hosts that measure: push, nightly, baseline accept, tag, serve
-- rkbench_reader  serve, history, report, Grafana, Otava

DO $$
DECLARE role text;
BEGIN
  FOREACH role IN ARRAY ARRAY['rkbench_owner', 'rkbench_writer', 'rkbench_reader'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
      EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE', role);
    END IF;
  END LOOP;
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO rkbench_owner, rkbench_writer, rkbench_reader', current_database());
END
$$;

-- A schema of its own name would need a search_path of every client; the database is rkbench's alone.
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO rkbench_owner;
GRANT USAGE ON SCHEMA public TO rkbench_writer, rkbench_reader;

-- What the owner makes, now and by later versions.
ALTER DEFAULT PRIVILEGES FOR ROLE rkbench_owner IN SCHEMA public
  GRANT SELECT ON TABLES TO rkbench_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE rkbench_owner IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE ON TABLES TO rkbench_writer;
ALTER DEFAULT PRIVILEGES FOR ROLE rkbench_owner IN SCHEMA public
  GRANT USAGE ON SEQUENCES TO rkbench_writer;
