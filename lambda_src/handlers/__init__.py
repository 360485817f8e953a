"""One module per Lambda function. Each decodes the event, calls one function and returns a message."""

import gc

# Imports make 25,000 objects and hardly any garbage, and collections would go through them again and again: a
# tenth of a cold start. ``metered`` switches them on when the handler's module is loaded.
gc.disable()
