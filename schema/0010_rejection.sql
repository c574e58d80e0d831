-- Items that were refused, and why. Keys begin with the time of receipt, hence the hash.
CREATE TABLE IF NOT EXISTS rejection (
    project_id INT4 NOT NULL,
    received_at TIMESTAMPTZ NOT NULL,
    rejection_id UUID NOT NULL,
    code TEXT NOT NULL,
    field TEXT, -- NULL where no single field is at fault
    message TEXT NOT NULL,
    message_id TEXT, -- NULL where the item had none
    item JSONB NOT NULL,
    PRIMARY KEY (project_id, received_at, rejection_id) /*crdb USING HASH */
)
/*crdb WITH (
    ttl_expiration_expression = '((received_at AT TIME ZONE ''UTC'') + INTERVAL ''30 days'') AT TIME ZONE ''UTC''',
    ttl_job_cron = '17 3 * * *',
    ttl_delete_rate_limit = 2000
) */;
