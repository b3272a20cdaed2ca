"""Tables of an outbox in PostgreSQL, and the scripts that create and migrate them.

The scripts only add what an earlier release can ignore, so that two releases can use the tables side by side.

A row of ``event`` has one of three states. *Ready* rows are leased in the order of their numbers. *Waiting* rows are
leased when they are due. *Leased* rows are due when their lease ends. Both indexes are partial, so a leased row leaves
the index of the ready rows.

Our statements read the database's clock through the function ``clock`` only.
"""

from __future__ import annotations

__all__ = ["LEASED", "READY", "SCRIPTS", "WAITING", "in_schema", "storable"]

READY, WAITING, LEASED = 0, 1, 2
"""States of a row."""

SCRIPTS = (
    """
    CREATE FUNCTION {schema}.clock() RETURNS double precision LANGUAGE sql VOLATILE
        AS 'SELECT extract(epoch FROM clock_timestamp())::double precision';
    CREATE TABLE {schema}.event (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        environment text NOT NULL, pixel text NOT NULL, source text NOT NULL, event text NOT NULL,
        event_id text NOT NULL, event_time bigint NOT NULL, paired smallint NOT NULL, body bytea NOT NULL,
        state smallint NOT NULL, tries integer NOT NULL DEFAULT 0, due double precision NOT NULL, owner text,
        reason text NOT NULL DEFAULT '', put_id bytea
    ) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);
    CREATE INDEX event_ready ON {schema}.event (environment, pixel, source, id) WHERE state = 0;
    CREATE INDEX event_timed ON {schema}.event (environment, pixel, source, due) WHERE state > 0;
    CREATE TABLE {schema}.dead (
        id bigint PRIMARY KEY,
        environment text NOT NULL, pixel text NOT NULL, source text NOT NULL, event text NOT NULL,
        event_id text NOT NULL, event_time bigint NOT NULL, paired smallint NOT NULL, body bytea NOT NULL,
        tries integer NOT NULL, reason text NOT NULL, died double precision NOT NULL
    );
    CREATE INDEX dead_died ON {schema}.dead (died);
    CREATE TABLE {schema}.claim (
        environment text NOT NULL, pixel text NOT NULL, event_id text NOT NULL, channel text NOT NULL,
        put_id bytea NOT NULL, at double precision NOT NULL,
        PRIMARY KEY (environment, pixel, event_id, channel)
    );
    CREATE INDEX claim_at ON {schema}.claim (at);
    CREATE TABLE {schema}.put (
        writer bytea PRIMARY KEY, number bigint NOT NULL, claims bytea NOT NULL, at double precision NOT NULL
    ) WITH (fillfactor = 50);
    CREATE TABLE {schema}.deferred (ref text PRIMARY KEY, body bytea NOT NULL, at double precision NOT NULL);
    CREATE INDEX deferred_at ON {schema}.deferred (at);
    CREATE TABLE {schema}.ledger (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        environment text NOT NULL, pixel text NOT NULL, source text NOT NULL, event text NOT NULL,
        event_id text NOT NULL, order_id text NOT NULL, value double precision, currency text NOT NULL,
        channels text NOT NULL, reason text NOT NULL, request_id text NOT NULL, event_time bigint NOT NULL,
        at double precision NOT NULL
    );
    CREATE INDEX ledger_event_id ON {schema}.ledger (event_id);
    CREATE TABLE {schema}.control (name text PRIMARY KEY, value double precision NOT NULL);
    INSERT INTO {schema}.control VALUES ('resumes', 0), ('paused_at', 0), ('off_at', 0);
    """,
    # Drafts have no unique key, so that no transaction of the app waits for another one because of us.
    """
    CREATE TABLE {schema}.draft (
        environment text NOT NULL, ref text NOT NULL, due double precision NOT NULL, body bytea NOT NULL
    ) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);
    ALTER TABLE {schema}.draft REPLICA IDENTITY FULL;
    CREATE INDEX draft_ref ON {schema}.draft (ref);
    CREATE INDEX draft_due ON {schema}.draft (environment, due);
    CREATE TABLE {schema}.draft_end (
        ref text PRIMARY KEY, environment text NOT NULL, body bytea NOT NULL, at double precision NOT NULL
    );
    CREATE INDEX draft_end_at ON {schema}.draft_end (at);
    INSERT INTO {schema}.control VALUES ('identity', floor(random() * 1e15)) ON CONFLICT DO NOTHING;
    CREATE FUNCTION {schema}.add_draft(
        new_environment text, new_ref text, new_due double precision, new_body bytea, of_database double precision
    ) RETURNS boolean LANGUAGE plpgsql AS $body$
    BEGIN
        INSERT INTO {schema}.draft (environment, ref, due, body)
            SELECT new_environment, new_ref, new_due, new_body FROM {schema}.control
            WHERE name = 'identity' AND value = coalesce(of_database, value);
        RETURN FOUND;
    EXCEPTION WHEN OTHERS THEN
        RAISE WARNING 'tiktok-middleware could not write a draft: %', SQLERRM;
        RETURN false;
    END $body$;
    """,
    # A vacuum that truncates the table of drafts locks it exclusively, and the app's transactions would wait for that.
    """
    ALTER TABLE {schema}.draft SET (vacuum_truncate = false);
    """,
)
"""One script for each version; the row ``version`` of ``control`` counts those that were applied."""


def in_schema(sql: str, schema: str) -> bytes:
    """Return a statement with the quoted name of the schema, which `read_address` has checked.

    The name may be a reserved word, such as ``order``. A string literal that names a table takes the quotes too.
    """
    return sql.replace("{schema}", f'"{schema}"').encode()


def storable(text: str) -> str:
    """Return a text without the characters that PostgreSQL cannot store."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
