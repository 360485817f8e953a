"""What a run writes: blobs in S3, and results in DynamoDB."""
