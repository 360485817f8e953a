"""One module per Lambda. Each decodes the event, calls one function and returns a message."""
