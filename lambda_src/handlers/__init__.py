"""One module per Lambda function. Each decodes the event, calls one function and returns a message."""
