"""What a run stores: blobs in S3, and results in DynamoDB."""
