"""Two services to run as they are, or to copy: webhooks of SMS and of voice carriers. Need the extra `reference`."""
