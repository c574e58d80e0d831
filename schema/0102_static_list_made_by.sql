-- Which call made a list, so that its repeat after a lost answer finds it instead of making another.
ALTER TABLE static_list ADD COLUMN IF NOT EXISTS made_by UUID; -- NULL of lists from before
