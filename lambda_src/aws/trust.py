"""The certificate authorities that connections trust (docs/decisions/0028).

Loading the system's authorities, about 144, takes a cold start ten times as long as loading the seven that
certify Amazon's services. The system's are loaded only if these are not enough.
"""

import os
import ssl
import threading

from lambda_src.telemetry.log import log

AMAZON_ROOTS = os.path.join(os.path.dirname(__file__), "amazon_roots.pem")  # noqa: PTH118, PTH120 - no pathlib


class Trust:
    """The authorities that one process trusts: those that the environment names, or else Amazon's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None
        self._is_final = False

    def context(self) -> ssl.SSLContext:
        """The context for a connection. The authorities are loaded once."""
        with self._lock:
            if self._context is None:
                named = os.environ.get("AWS_CA_BUNDLE")
                self._is_final = bool(named)
                self._context = ssl.create_default_context(cafile=named or AMAZON_ROOTS)
            return self._context

    def believes_more(self, context: ssl.SSLContext, host: str, error: ssl.SSLCertVerificationError) -> bool:
        """Whether to try ``host`` again, whose certificate ``context`` rejected. From now on the system's
        authorities are trusted, and a log line says so. False if they are trusted already, or if the
        environment names the authorities."""
        with self._lock:
            if context is not self._context:
                return True  # another thread has met it, too
            if self._is_final:
                return False
            log("system_authorities", host=host, message=error.verify_message)
            self._is_final, self._context = True, ssl.create_default_context()
            return True
