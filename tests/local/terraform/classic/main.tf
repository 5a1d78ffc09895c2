# A stack as it is classically written by hand for Terraform: the home region only, with the
# settings that people choose. Where the endpoint and the credentials are, the environment says.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.0"
    }
  }
}

variable "prefix" {
  default = "haven-tests-classic"
}

variable "master_password" {
  sensitive = true
}

locals {
  account = data.aws_caller_identity.me.account_id
  zones   = slice(data.aws_availability_zones.here.names, 0, 3)
}

provider "aws" {
  region            = "us-east-1"
  s3_use_path_style = true
  default_tags {
    tags = { Environment = "classic" }
  }
  # What Haven sets when it takes a stack over is not Terraform's to remove.
  ignore_tags {
    key_prefixes = ["haven:"]
  }
}

data "aws_caller_identity" "me" {}

data "aws_availability_zones" "here" {
  state = "available"
}

output "vpc" {
  value = aws_vpc.main.id
}

output "subnets" {
  value = aws_subnet.private[*].id
}
