-- Which of the nodes mark what changes: those that write their own id here too. A node of an older version leaves another's.
ALTER TABLE heartbeat ADD COLUMN IF NOT EXISTS marking_node UUID; -- NULL until a node that marks has had the slot
