"""unit: no network; integration: moto; stack: the template; e2e: deployed into the local AWS."""
