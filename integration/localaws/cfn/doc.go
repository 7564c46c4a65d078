// Package cfn reads CloudFormation templates (JSON, as CDK synthesises them) and resolves
// their intrinsic functions: Ref, Fn::GetAtt, Fn::Join, Fn::Sub, Fn::Select, Fn::Split, Fn::If,
// Fn::FindInMap, Fn::ImportValue across stacks in any order, and the pseudo parameters.
//
// It creates nothing. Who deploys asks for resolved properties and answers what a resource's
// reference or attribute is; resolution is lazy, so order does not matter.
package cfn
