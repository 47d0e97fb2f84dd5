"""From the text of a message to HTML that is safe to show: model output is hostile, so everything passes through here."""
