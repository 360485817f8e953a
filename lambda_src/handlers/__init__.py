"""One module a Lambda. Each decodes the event, calls one function and returns a message."""
